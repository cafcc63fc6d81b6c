"""Load to come, with quantiles; a backtest picks the method."""
