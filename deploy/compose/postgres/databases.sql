-- Each service has a database of its own; none reads another's.
CREATE DATABASE samvirke_identity OWNER samvirke;
CREATE DATABASE samvirke_insurance OWNER samvirke;
CREATE DATABASE samvirke_income OWNER samvirke;
CREATE DATABASE samvirke_transfer OWNER samvirke;
CREATE DATABASE samvirke_audit OWNER samvirke;
