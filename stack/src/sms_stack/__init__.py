"""The whole system on one machine: private PostgreSQL, RabbitMQ and Redis, and the processes."""
