package serviceplatform

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"

	"samvirke.dev/services/identity/internal/core"
	"samvirke.dev/services/identity/internal/register"
	"samvirke.dev/services/platform/soap"
)

// faultDetail is what Serviceplatformen puts into a fault. The texts are not read: they may repeat the number.
type faultDetail struct {
	XMLName xml.Name `xml:"http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/ ServiceplatformFault"`
	Codes   []string `xml:"http://serviceplatformen.dk/xml/schemas/ServiceplatformFault/1/ ErrorList>Error>ErrorCode"`
}

// Meaning turns the error of a call into one of core.Register; see register.Meaning. Of faults CPR's error codes decide: core.ErrNotFound,
// core.ErrRegisterUnavailable or core.ErrRegisterRefused.
func Meaning(ctx context.Context, err error) error { return register.Meaning(ctx, err, faultMeaning) }

// faultMeaning reads the register's error codes. A refusal weighs more than a missing person: with both, the access is what has to be
// mended. One code that we don't know makes the whole a failure, since nothing says that nobody was found.
func faultMeaning(fault *soap.Fault) error {
	var detail faultDetail
	if err := fault.DecodeDetail(&detail); err != nil || len(detail.Codes) == 0 {
		kind := core.ErrRegisterUnavailable
		if fault.ByCaller() {
			kind = core.ErrRegisterRefused
		}
		return fmt.Errorf("%w: %s without error codes", kind, fault.Error())
	}
	refused, notFound := false, true
	told := make([]string, len(detail.Codes))
	for i, raw := range detail.Codes {
		kind := errorCode(raw)
		told[i] = kind.code
		refused = refused || kind.refused
		notFound = notFound && kind.notFound
	}
	kind := core.ErrRegisterUnavailable
	switch {
	case refused:
		kind = core.ErrRegisterRefused
	case notFound:
		kind = core.ErrNotFound
	}
	return fmt.Errorf("%w: error codes %s", kind, strings.Join(told, " "))
}

// codeMeaning is an error code as it may be shown, and what it means.
type codeMeaning struct {
	code              string
	refused, notFound bool
}

// maxErrorCode is how many digits a code may have to be shown: ten of them would be a person.
const maxErrorCode = 5

// errorCode reads one code of CPR's general error list. 172 is a number under which CPR has nobody. 52 is one that CPR holds to be
// no number; since only well-formed numbers are sent, what is left is that it was never issued, so nobody is known under it
// either. 4, 5, 16 and 184 are about access.
func errorCode(raw string) codeMeaning {
	code := strings.TrimLeft(strings.TrimSpace(raw), "0")
	switch code {
	case "172", "52":
		return codeMeaning{code: code, notFound: true}
	case "4", "5", "16", "184":
		return codeMeaning{code: code, refused: true}
	}
	if code == "" || len(code) > maxErrorCode || strings.Trim(code, "0123456789") != "" {
		return codeMeaning{code: "other"}
	}
	return codeMeaning{code: code}
}
