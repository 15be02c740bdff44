package authz

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Plan is a response message as the egress guard sees it: for each field its path, its class and what is below it.
type Plan struct {
	name   protoreflect.FullName
	fields map[protoreflect.FieldNumber]*planField
}

type planField struct {
	path  string // from the top, such as address.postal_code
	class vocabularyv1.DataClass
	below *Plan // nil for scalars and for messages of other packages, such as Timestamp
}

// NewPlan reads the plan of a message from its descriptor. Recursive messages are cut at the first repetition: what lies
// deeper has no path and is refused.
func NewPlan(md protoreflect.MessageDescriptor) *Plan { return newPlan(md, "", nil) }

func newPlan(md protoreflect.MessageDescriptor, prefix string, above []protoreflect.FullName) *Plan {
	plan := &Plan{name: md.FullName(), fields: map[protoreflect.FieldNumber]*planField{}}
	above = append(above, md.FullName())
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		field := &planField{path: prefix + string(fd.Name()), class: ClassOf(fd)}
		if sub := fd.Message(); sub != nil && ours(sub) && !slices.Contains(above, sub.FullName()) {
			field.below = newPlan(sub, field.path+".", above)
		}
		plan.fields[fd.Number()] = field
	}
	return plan
}

func ours(md protoreflect.MessageDescriptor) bool {
	return strings.HasPrefix(string(md.FullName()), "samvirke.")
}

// ClassOf returns the data class that stands beside a field in its schema; SECRET where none does, so that a forgotten
// class hides data and never shows them.
func ClassOf(fd protoreflect.FieldDescriptor) vocabularyv1.DataClass {
	options, ok := fd.Options().(*descriptorpb.FieldOptions)
	if !ok || !proto.HasExtension(options, optionsv1.E_Field) {
		return vocabularyv1.DataClass_DATA_CLASS_SECRET
	}
	rule, ok := proto.GetExtension(options, optionsv1.E_Field).(*optionsv1.FieldRule)
	if !ok || rule.GetClass() == vocabularyv1.DataClass_DATA_CLASS_UNSPECIFIED {
		return vocabularyv1.DataClass_DATA_CLASS_SECRET
	}
	return rule.GetClass()
}

// Has says whether the path names a field of the message.
func (p *Plan) Has(path string) bool {
	for number := range p.fields {
		field := p.fields[number]
		if field.path == path {
			return true
		}
		if field.below != nil && strings.HasPrefix(path, field.path+".") && field.below.Has(path) {
			return true
		}
	}
	return false
}

// personal says whether a class tells something about a person, so that its disclosure is recorded.
func personal(class vocabularyv1.DataClass) bool {
	return class > vocabularyv1.DataClass_DATA_CLASS_INTERNAL
}

// paths lists the leaves that hold personal data.
func (p *Plan) paths() []string {
	var out []string
	for _, field := range p.fields {
		if field.below != nil {
			out = append(out, field.below.paths()...)
		} else if personal(field.class) {
			out = append(out, field.path)
		}
	}
	slices.Sort(out)
	return out
}

// Release is a set of released fields compiled for the guard.
type Release struct {
	plan    *Plan
	allowed map[*planField]bool
	beyond  []string // the paths of the message that are not released
}

// NewRelease compiles the granted paths. A path releases the field and all below it. A path that names no field is an
// error, so that a typing mistake in an agreement is found at load time and not as a refusal later.
func (p *Plan) NewRelease(paths []string) (*Release, error) {
	r := &Release{plan: p, allowed: map[*planField]bool{}}
	for _, path := range paths {
		if !p.Has(path) {
			return nil, fmt.Errorf("%s has no field %q", p.name, path)
		}
	}
	r.mark(p, paths)
	r.beyond = r.Exceeds(p.paths())
	return r, nil
}

func (r *Release) mark(plan *Plan, paths []string) {
	for _, field := range plan.fields {
		r.allowed[field] = covered(field.path, paths)
		if field.below != nil {
			r.mark(field.below, paths)
		}
	}
}

func covered(path string, granted []string) bool {
	return slices.ContainsFunc(granted, func(g string) bool { return path == g || strings.HasPrefix(path, g+".") })
}

// Exceeds returns the wanted paths that are not released; none wanted means all that the message has (AIP-157).
func (r *Release) Exceeds(wanted []string) []string {
	if len(wanted) == 0 {
		return r.beyond
	}
	var out []string
	for _, path := range wanted {
		if !r.coversPath(r.plan, path) {
			out = append(out, path)
		}
	}
	return out
}

func (r *Release) coversPath(plan *Plan, path string) bool {
	for _, field := range plan.fields {
		switch {
		case field.path == path:
			return r.coversField(field)
		case field.below != nil && strings.HasPrefix(path, field.path+"."):
			return r.coversPath(field.below, path)
		}
	}
	return false
}

// coversField says whether everything personal in a field is released.
func (r *Release) coversField(field *planField) bool {
	if r.allowed[field] || (field.below == nil && !personal(field.class)) {
		return true
	}
	if field.below == nil {
		return false
	}
	for _, sub := range field.below.fields {
		if !r.coversField(sub) {
			return false
		}
	}
	return true
}

// Disclosure is what the guard found in a response.
type Disclosure struct {
	Fields  []string // paths of the fields that are set and hold personal data, without repetition
	Blocked []string // paths that may not leave
}

// Inspect walks every set field of a response by reflection (DESIGN section 2, step 5). A field that is not released, whose class
// the purpose does not allow, or that the schema does not know, is blocked.
func (r *Release) Inspect(response proto.Message, purpose vocabularyv1.Purpose, special vocabularyv1.SpecialBasis) Disclosure {
	var d Disclosure
	r.walk(&d, r.plan, response.ProtoReflect(), purpose, special)
	return d
}

func (r *Release) walk(d *Disclosure, plan *Plan, m protoreflect.Message, purpose vocabularyv1.Purpose, special vocabularyv1.SpecialBasis) {
	if len(m.GetUnknown()) > 0 {
		d.Blocked = append(d.Blocked, string(plan.name)+" (unknown fields)")
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		field := plan.fields[fd.Number()]
		switch {
		case field == nil:
			d.Blocked = append(d.Blocked, string(fd.FullName()))
		case field.below != nil:
			r.descend(d, field, fd, v, purpose, special)
		default:
			r.leaf(d, field, purpose, special)
		}
		return true
	})
}

func (r *Release) leaf(d *Disclosure, field *planField, purpose vocabularyv1.Purpose, special vocabularyv1.SpecialBasis) {
	if !allows(purpose, special, field.class) || (personal(field.class) && !r.allowed[field]) {
		d.Blocked = append(d.Blocked, field.path)
		return
	}
	if personal(field.class) && !slices.Contains(d.Fields, field.path) {
		d.Fields = append(d.Fields, field.path)
	}
}

func (r *Release) descend(
	d *Disclosure, field *planField, fd protoreflect.FieldDescriptor, v protoreflect.Value,
	purpose vocabularyv1.Purpose, special vocabularyv1.SpecialBasis,
) {
	switch {
	case fd.IsMap():
		// The style of our schemas has no maps (a descriptor test says so); one that slips in does not leave.
		d.Blocked = append(d.Blocked, field.path)
	case fd.IsList():
		for i := range v.List().Len() {
			r.walk(d, field.below, v.List().Get(i).Message(), purpose, special)
		}
	default:
		r.walk(d, field.below, v.Message(), purpose, special)
	}
}
