pytest_plugins = ["postgres_fixtures"]
