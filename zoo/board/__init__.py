"""The leaderboard: its data and its Space."""
