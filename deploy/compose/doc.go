// Package compose holds the compose file and the services' configuration files beside it; its test loads them as the services do.
package compose
