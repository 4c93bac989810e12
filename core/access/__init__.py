"""Who may call by a program, and what they may do: principals, tokens, keys, second factors."""
