pytest_plugins = ["element_fixtures", "matrix_fixtures", "postgres_fixtures", "store_fixtures"]
