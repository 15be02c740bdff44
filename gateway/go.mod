module samvirke.dev/gateway

go 1.26
