module samvirke.dev/deploy

go 1.26
