-- What the application may do in its database. Run it there, as a superuser, before tables are made: it is about
-- tables that the superuser makes afterwards. The process lab runs this file too.

GRANT USAGE, CREATE ON SCHEMA public TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON SEQUENCES TO app;
