"""What is pure: orders, money, reports and transitions, without Flask, HTTP or SQL."""
