"""How the processes of Server B are put together: settings, Celery, Gunicorn, URLs."""
