package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"samvirke.dev/deploy/internal/say"
	"samvirke.dev/deploy/internal/stack"
	insurancev1 "samvirke.dev/proto/gen/go/samvirke/insurance/v1"
)

// Routes of the chapter.
const (
	fetchRoute   = "/v1/shares:fetch"
	subjectRoute = "/v1/shared-subjects:fetch"
)

// restStep is a REST call with the outcome that it must have.
type restStep struct {
	title, route string
	request      proto.Message
	raw          string // body instead of request
	status       int
	reason       string // of the problem; empty for an answer
	// answer says what came, or an error when it is not what must come.
	answer func(body []byte) (string, error)
	// service holds the record of the call; none where the gateway refuses by itself.
	service string
}

// gatewayChapter tells the same from the side of an insurer that speaks REST.
func gatewayChapter(ctx context.Context, t *teller) error {
	url, client, err := t.suite.REST(t.cast.Insurer)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	stopped := ""
	offers := t.offers()
	wrong := t.offers()
	wrong.Purpose = identification
	var failures []error
	for _, s := range []restStep{
		{
			title: "The insurer reads its mailbox over REST, from the beginning: what was stopped is not delivered again, the notice is", route: fetchRoute,
			request: &insurancev1.FetchSharesRequest{Context: offers}, status: http.StatusOK, service: stack.InsuranceName,
			answer: func(body []byte) (string, error) {
				var out insurancev1.FetchSharesResponse
				if err := protojson.Unmarshal(body, &out); err != nil {
					return "", err
				}
				for _, share := range out.GetShares() {
					if share.GetKind() != insurancev1.ShareKind_SHARE_KIND_STOP_USE || share.GetContent() != nil {
						return "", fmt.Errorf("an item of kind %s", share.GetKind())
					}
					stopped = share.GetPartnerSubjectId()
				}
				return fmt.Sprintf("%d notices to stop using data", len(out.GetShares())), nil
			},
		},
		{
			title: "It asks for that member all the same", route: subjectRoute, status: http.StatusForbidden, reason: "OPTED_OUT", service: stack.InsuranceName,
		},
		{
			title: "It states a purpose that its agreement does not grant", route: fetchRoute, request: &insurancev1.FetchSharesRequest{Context: wrong},
			status: http.StatusForbidden, reason: "PURPOSE_NOT_ALLOWED", service: stack.InsuranceName,
		},
		{
			title: "Its developer misspells a field: the place is told, and nothing of the body", route: fetchRoute, raw: `{"contxt": {}}`,
			status: http.StatusBadRequest, reason: "MESSAGE_UNREADABLE",
		},
		{
			title: "Somebody puts a number into the URL: no route takes one", route: "/v1/members/7403851013", raw: "{}",
			status: http.StatusNotFound, reason: "UNIMPLEMENTED",
		},
	} {
		if s.route == subjectRoute {
			s.request = &insurancev1.GetSharedSubjectRequest{Context: offers, PartnerSubjectId: stopped, Fields: []insurancev1.SharedField{insurancev1.SharedField_SHARED_FIELD_FULL_NAME}}
		}
		failures = append(failures, t.failed(s.title, t.rest(ctx, client, url, s)))
	}
	return errors.Join(failures...)
}

// rest makes a call, prints it, and compares answer and record with what they must be.
func (t *teller) rest(ctx context.Context, client *http.Client, url string, s restStep) error {
	t.number++
	if s.service == "" {
		t.unrecorded++ // no service is reached
	}
	say.F(t.out, "\n%2d  %s\n", t.number, s.title)
	t.line("who", "%s, over REST", t.name(t.cast.Insurer))
	t.line("what", "POST %s", strings.ReplaceAll(s.route, "7403851013", "<a number>"))
	body := []byte(s.raw)
	if s.request != nil {
		var err error
		if body, err = protojson.Marshal(s.request); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+s.route, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	event, err := t.answered(s, resp, answer)
	if err != nil || s.service == "" {
		return err
	}
	t.events = append(t.events, event)
	records, err := t.records(ctx, s.service, event, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("no audit record for event %s", event)
	}
	for _, r := range records {
		t.recorded(r)
		if r.GetActor().GetOrganisation() != t.cast.Insurer.Org() || !strings.HasSuffix(r.GetActor().GetVia(), "/svc/"+stack.GatewayName) {
			return fmt.Errorf("record: actor is %v", r.GetActor())
		}
	}
	return nil
}

// problem is the part of a problem document that the story shows.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Reason string `json:"reason"`
	Actor  string `json:"actor"`
	Action string `json:"action"`
	Trace  string `json:"traceId"`
	Event  string `json:"eventId"`
}

func (t *teller) answered(s restStep, resp *http.Response, body []byte) (event string, err error) {
	if resp.StatusCode != s.status {
		return "", fmt.Errorf("status %d, want %d: %s", resp.StatusCode, s.status, body)
	}
	if s.reason == "" {
		told, err := s.answer(body)
		t.line("answer", "%d %s", resp.StatusCode, told)
		if limit := resp.Header.Get("RateLimit"); limit != "" {
			t.line("", "RateLimit: %s", limit)
		}
		return resp.Header.Get("Samvirke-Event-Id"), err
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		return "", err
	}
	t.line("refused", "%d %s: %s %s", resp.StatusCode, p.Reason, p.Title, p.Detail)
	t.line("to do", "%s: %s", p.Actor, p.Action)
	t.line("trace", "%s", p.Trace)
	if p.Reason != s.reason {
		return "", fmt.Errorf("reason %s, want %s", p.Reason, s.reason)
	}
	if strings.Contains(string(body), t.cast.Dane.Number) {
		return "", errors.New("the problem holds the person's number")
	}
	return p.Event, nil
}
