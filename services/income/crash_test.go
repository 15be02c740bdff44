package income_test

// crashFile names the variable that makes the test binary a process to be killed.
const crashFile = "SAMVIRKE_TEST_INCOME_CRASH"

func crash() {}
