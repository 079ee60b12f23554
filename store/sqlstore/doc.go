// Package sqlstore keeps sessions in PostgreSQL, SQLite, MariaDB or MySQL.
package sqlstore
