// Package charts checks the Helm chart and the compose file with the tools' own libraries. It is a module of its own because those want
// other versions than we do, and many modules; nothing of it is part of the suite.
package charts
