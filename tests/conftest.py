pytest_plugins = ["matrix_fixtures", "postgres_fixtures", "store_fixtures"]
