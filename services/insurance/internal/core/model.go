package core

import "time"

// Caller is who asks, after authorisation, with what the call was made for.
type Caller struct {
	Organisation string // the partner, or the controller itself
	Controller   string
	Purpose      Purpose
	Basis        Basis
	Special      Special
}

// Contact is what a controller's member base has of a member.
type Contact struct {
	FullName         string
	PhoneNumber      string // E.164
	Email            string
	From, To         Day // of the membership; To is zero while it lasts
	CoverCode        string
	Channel          string // on which the data came in
	AdvertisingBlock bool
}

// Member is a member of one controller, known by the controller's handle.
type Member struct {
	ID         int64 // the store's own reference; 0 for nobody
	Controller string
	Handle     string
	Contact    Contact
	Erased     bool // the contact data are gone: the retention time was over
}

// Known says whether there is such a member.
func (m *Member) Known() bool { return m.ID != 0 }

// Balancing is a stored balancing assessment.
type Balancing struct {
	ID       string
	Purpose  Purpose
	Assessed Day
}

// RefusalKind tells the ways of saying no apart.
type RefusalKind int16

// The kinds. They are stored: none changes its number.
const (
	KindOptOut RefusalKind = iota + 1
	KindObjection
	KindRestriction
)

// StoredRefusal is a no as it is kept.
type StoredRefusal struct {
	Kind    RefusalKind
	Partner string
	Purpose Purpose
	Channel int // on which it came in, as the schema numbers them
	At      time.Time
}

// Share is what was shared of a member with a partner for one purpose.
type Share struct {
	ID         int64
	Controller string
	Partner    string
	Member     int64
	Handle     string // of the member; read only
	Subject    string // the partner's own pseudonym of the member
	Purpose    Purpose
	Basis      Basis
	Special    Special
	Fields     Fields    // those that the controller shared
	Until      time.Time // from then on it has ended; zero for no end
	MaxReads   int       // 0 for no limit
	Reads      int
	Document   string
	Stopped    bool
	Delivered  bool // data of it were given to the partner since it was shared
	CreatedAt  time.Time
}

// ended says whether time or reads are over, or the controller ended it.
func (s *Share) ended(now time.Time) bool { return s.Stopped || s.over(now) || s.readUp() }

func (s *Share) over(now time.Time) bool { return !s.Until.IsZero() && !now.Before(s.Until) }

func (s *Share) readUp() bool { return s.MaxReads > 0 && s.Reads >= s.MaxReads }

// ReadsLeft returns how many more times data can be fetched; ok is false when there is no limit.
func (s *Share) ReadsLeft() (n int, ok bool) { return max(0, s.MaxReads-s.Reads), s.MaxReads > 0 }

// box is the mailbox that a share belongs to.
func (s *Share) box() Box {
	return Box{Controller: s.Controller, Partner: s.Partner, Purpose: s.Purpose, Basis: s.Basis}
}

// Box is one mailbox: of a partner, for one purpose of one controller on one basis.
type Box struct {
	Controller string
	Partner    string
	Purpose    Purpose
	Basis      Basis
}

// ItemKind is why an item is in a mailbox.
type ItemKind int16

// The kinds, numbered as in the schema.
const (
	ItemNew ItemKind = iota + 1
	ItemChanged
	ItemStopUse
)

// Item is one item of a mailbox.
type Item struct {
	Seq       int64 // from 1, growing
	Kind      ItemKind
	At        time.Time
	Delivered bool // was given before: the same cursor asks again
	Share     Share
	Known     Known // of the share's member; empty where no data can follow
}

// data says whether the item can give data of the member, and is no mere notice.
func (i *Item) data() bool { return i.Kind != ItemStopUse && !i.Share.Stopped }

// Known is what is kept of a member, besides shares.
type Known struct {
	Member   *Member
	Consents []Consent
	Refusals []StoredRefusal
}

// Disclosure is the record of what a partner got.
type Disclosure struct {
	ID         int64
	Controller string
	Member     int64
	Kind       ItemKind
	Partner    string
	Name       string
	Class      Class
	Fields     Fields
	Purpose    Purpose
	Basis      Basis
	At         time.Time
	EventID    string
}

// PostalAddress is an address as a population register gives it.
type PostalAddress struct {
	CareOf     string
	Lines      []string
	PostalCode string
	City       string
	Country    string
}

// Standing is what the identity service says of a member at this moment.
type Standing struct {
	Protected   bool // also when it could not be asked
	Unreachable bool // it could not be asked
	Address     *PostalAddress
}

// Disclosed is what a partner gets of a member.
type Disclosed struct {
	Class   Class
	Subject string
	Fields  Fields // those that are set
	Contact Contact
	Address *PostalAddress
	// Document is the reference of what is to be posted.
	Document string
}
