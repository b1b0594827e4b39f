"""A whole TUF world in memory: `repository` (the maker, and thieves of his keys), `network` (the attacker between),
`scene` (the real agent and the test client in the middle of it, and what is asked of them).
"""
