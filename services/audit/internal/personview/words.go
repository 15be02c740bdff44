package personview

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	optionsv1 "samvirke.dev/proto/gen/go/samvirke/options/v1"
	vocabularyv1 "samvirke.dev/proto/gen/go/samvirke/vocabulary/v1"
)

// Language of the texts.
type Language int

// The languages.
const (
	Danish Language = iota
	Swedish
	English
)

// text is one phrase in the three languages, in their order.
type text [3]string

func (t text) in(l Language) string { return t[l] }

// purposeText says for what, in words that need no law book.
func purposeText(p vocabularyv1.Purpose, l Language) string {
	t, ok := purposes()[p]
	if !ok {
		t = text{"formålet blev ikke oplyst", "syftet angavs inte", "no purpose was stated"}
	}
	return t.in(l)
}

func purposes() map[vocabularyv1.Purpose]text {
	return map[vocabularyv1.Purpose]text{
		vocabularyv1.Purpose_PURPOSE_IDENTIFICATION:          {"at være sikker på, hvem du er", "att veta säkert vem du är", "to be certain who you are"},
		vocabularyv1.Purpose_PURPOSE_ADDRESS_UPDATE:          {"at have din rigtige adresse", "att ha din rätta adress", "to have your right address"}, //nolint:misspell // Swedish
		vocabularyv1.Purpose_PURPOSE_DETERMINE_RIGHTS:        {"at afgøre, hvad du har ret til", "att avgöra vad du har rätt till", "to decide what you are entitled to"},
		vocabularyv1.Purpose_PURPOSE_BENEFIT_ASSESSMENT:      {"at beregne dine dagpenge", "att beräkna din ersättning", "to calculate your benefit"},
		vocabularyv1.Purpose_PURPOSE_PAYMENT_CONTROL:         {"at kontrollere udbetalinger", "att kontrollera utbetalningar", "to check payments"},
		vocabularyv1.Purpose_PURPOSE_MEMBERSHIP_ADMIN:        {"at administrere dit medlemskab", "att sköta ditt medlemskap", "to manage your membership"},
		vocabularyv1.Purpose_PURPOSE_CONTRIBUTION_COLLECTION: {"at opkræve dit medlemsbidrag", "att ta in din medlemsavgift", "to collect your membership fee"},
		vocabularyv1.Purpose_PURPOSE_FUND_TRANSFER:           {"at flytte dit medlemskab til en anden a-kasse", "att flytta ditt medlemskap till en annan a-kassa", "to move your membership to another fund"},
		vocabularyv1.Purpose_PURPOSE_INCOME_INSURANCE_ADMIN:  {"at administrere din lønforsikring", "att sköta din inkomstförsäkring", "to manage your income insurance"},
		vocabularyv1.Purpose_PURPOSE_MEMBER_INSURANCE_ADMIN:  {"at administrere din medlemsforsikring", "att sköta din medlemsförsäkring", "to manage your member insurance"},
		vocabularyv1.Purpose_PURPOSE_INSURANCE_OFFER:         {"at tilbyde dig en forsikring", "att erbjuda dig en försäkring", "to offer you an insurance"},
		vocabularyv1.Purpose_PURPOSE_UNION_SALES:             {"at tilbyde dig medlemskab af en fagforening", "att erbjuda dig medlemskap i ett fackförbund", "to offer you union membership"},
		vocabularyv1.Purpose_PURPOSE_MEMBER_INSURANCE_OFFER:  {"at tilbyde dig en medlemsforsikring", "att erbjuda dig en medlemsförsäkring", "to offer you a member insurance"},
		vocabularyv1.Purpose_PURPOSE_MARKETING:               {"markedsføring", "marknadsföring", "marketing"},
		vocabularyv1.Purpose_PURPOSE_NEWSLETTER:              {"at sende dig et nyhedsbrev", "att skicka dig ett nyhetsbrev", "to send you a newsletter"},
		vocabularyv1.Purpose_PURPOSE_WINBACK:                 {"at spørge, om du vil blive medlem igen", "att fråga om du vill bli medlem igen", "to ask you to become a member again"},
		vocabularyv1.Purpose_PURPOSE_KNOWLEDGE_EXCHANGE:      {"vidensdeling inden for koncernen", "kunskapsutbyte inom koncernen", "exchange of knowledge within the group"},
		vocabularyv1.Purpose_PURPOSE_PUBLIC_ACCESS_REQUEST:   {"en anmodning om aktindsigt", "en begäran om allmän handling", "a request for an official document"},
		vocabularyv1.Purpose_PURPOSE_SUPERVISION:             {"myndighedernes tilsyn", "myndigheternas tillsyn", "supervision by the authorities"},
		vocabularyv1.Purpose_PURPOSE_AUDIT:                   {"revision", "revision", "an audit"},
		vocabularyv1.Purpose_PURPOSE_RIGHTS_FULFILMENT:       {"at opfylde dine rettigheder", "att tillgodose dina rättigheter", "to fulfil your rights"},
		vocabularyv1.Purpose_PURPOSE_STATISTICS:              {"statistik", "statistik", "statistics"},
	}
}

// basisText says on which ground of the GDPR, with its place.
func basisText(b vocabularyv1.LegalBasis, l Language) string {
	t, ok := bases()[b]
	if !ok {
		return ""
	}
	return t.in(l)
}

func bases() map[vocabularyv1.LegalBasis]text {
	return map[vocabularyv1.LegalBasis]text{
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_A:                    {"du har givet samtykke (GDPR art. 6, stk. 1, litra a)", "du har samtyckt (GDPR art. 6.1 a)", "you consented (GDPR art. 6(1)(a))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_B:                    {"en aftale med dig (GDPR art. 6, stk. 1, litra b)", "ett avtal med dig (GDPR art. 6.1 b)", "a contract with you (GDPR art. 6(1)(b))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_C:                    {"loven kræver det (GDPR art. 6, stk. 1, litra c)", "lagen kräver det (GDPR art. 6.1 c)", "the law requires it (GDPR art. 6(1)(c))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_D:                    {"det drejer sig om liv og helbred (GDPR art. 6, stk. 1, litra d)", "det gäller liv och hälsa (GDPR art. 6.1 d)", "life and health are at stake (GDPR art. 6(1)(d))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_PUBLIC_INTEREST:    {"en opgave i samfundets interesse (GDPR art. 6, stk. 1, litra e)", "en uppgift av allmänt intresse (GDPR art. 6.1 e)", "a task in the public interest (GDPR art. 6(1)(e))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_E_OFFICIAL_AUTHORITY: {"myndighedsudøvelse (GDPR art. 6, stk. 1, litra e)", "myndighetsutövning (GDPR art. 6.1 e)", "official authority (GDPR art. 6(1)(e))"},
		vocabularyv1.LegalBasis_LEGAL_BASIS_A6_1_F:                    {"en berettiget interesse, som du kan gøre indsigelse mod (GDPR art. 6, stk. 1, litra f)", "ett berättigat intresse, som du kan invända mot (GDPR art. 6.1 f)", "a legitimate interest, to which you may object (GDPR art. 6(1)(f))"},
	}
}

// verbs say what was done, by the operation.
func verbs() map[vocabularyv1.Operation]text {
	return map[vocabularyv1.Operation]text{
		vocabularyv1.Operation_OPERATION_RETRIEVE:                 {"Dine oplysninger blev hentet", "Dina uppgifter hämtades", "Your data were retrieved"},
		vocabularyv1.Operation_OPERATION_CONSULT:                  {"Dine oplysninger blev slået op", "Dina uppgifter slogs upp", "Your data were looked up"},
		vocabularyv1.Operation_OPERATION_MATCH:                    {"Dine oplysninger blev sammenholdt med et register", "Dina uppgifter jämfördes med ett register", "Your data were compared with a register"},
		vocabularyv1.Operation_OPERATION_ASSESS:                   {"Dine oplysninger blev brugt i en vurdering", "Dina uppgifter användes i en bedömning", "Your data were used in an assessment"},
		vocabularyv1.Operation_OPERATION_RECORD:                   {"Oplysninger om dig blev registreret", "Uppgifter om dig registrerades", "Data about you were recorded"},
		vocabularyv1.Operation_OPERATION_DISCLOSE_BY_TRANSMISSION: {"Dine oplysninger blev videregivet", "Dina uppgifter lämnades ut", "Your data were disclosed"},
		vocabularyv1.Operation_OPERATION_SHARE:                    {"Dine oplysninger blev delt", "Dina uppgifter delades", "Your data were shared"},
		vocabularyv1.Operation_OPERATION_TRANSFER:                 {"Dine oplysninger blev overført", "Dina uppgifter överfördes", "Your data were transferred"},
		vocabularyv1.Operation_OPERATION_PSEUDONYMISE:             {"Dit nummer blev erstattet af et pseudonym", "Ditt nummer ersattes av en pseudonym", "Your number was replaced by a pseudonym"},
		vocabularyv1.Operation_OPERATION_ALTER:                    {"Oplysninger om dig blev ændret", "Uppgifter om dig ändrades", "Data about you were changed"},
		vocabularyv1.Operation_OPERATION_RESTRICT:                 {"Brugen af dine oplysninger blev begrænset", "Användningen av dina uppgifter begränsades", "The use of your data was restricted"},
		vocabularyv1.Operation_OPERATION_EXPORT:                   {"Dine oplysninger blev eksporteret", "Dina uppgifter exporterades", "Your data were exported"},
		vocabularyv1.Operation_OPERATION_ERASE:                    {"Oplysninger om dig blev slettet", "Uppgifter om dig raderades", "Data about you were erased"},
		vocabularyv1.Operation_OPERATION_COLLECT:                  {"Oplysninger om dig blev indsamlet", "Uppgifter om dig samlades in", "Data about you were collected"},
		vocabularyv1.Operation_OPERATION_STORE:                    {"Oplysninger om dig blev gemt", "Uppgifter om dig sparades", "Data about you were stored"},
	}
}

// actionText is the sentence that stands first.
func actionText(op vocabularyv1.Operation, u Use, erased bool, l Language) string {
	verb, ok := verbs()[op]
	if !ok {
		verb = text{"Dine oplysninger blev behandlet", "Dina uppgifter behandlades", "Your data were processed"}
	}
	out := fmt.Sprintf(text{"%s for %s.", "%s för %s.", "%s %s."}.in(l), verb.in(l), u.Purpose)
	if !u.Allowed {
		out = text{"Nogen bad om dine oplysninger, men fik dem ikke.", "Någon bad om dina uppgifter men fick dem inte.", "Somebody asked for your data and did not get them."}.in(l)
	}
	if erased {
		out += " " + text{"De nærmere oplysninger herom er slettet, fordi de ikke længere må gemmes.", "Detaljerna är raderade eftersom de inte längre får sparas.", "The details were erased because they may not be kept any longer."}.in(l)
	}
	if u.Count > 1 {
		out += " " + fmt.Sprintf(text{"Det skete %d gange i måneden.", "Det skedde %d gånger under månaden.", "It happened %d times in the month."}.in(l), u.Count)
	}
	if !u.HeldUntil.IsZero() {
		out += " " + text{"Det blev ikke vist før nu af hensyn til en undersøgelse.", "Det visades inte tidigare av hänsyn till en utredning.", "It was not shown before for the sake of an investigation."}.in(l)
	}
	return out
}

// dataTexts says which data were disclosed: by the DPV term that stands beside each field in its schema, which is the one source. What a schema of
// this process does not tell is said by the field's own name, and never left out. Fields that are no personal data need no mention.
func dataTexts(rpc string, fields []string, l Language) []string {
	var out []string
	for _, path := range fields {
		t, personal := dataText(rpc, path, l)
		if personal && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func dataText(rpc, path string, l Language) (string, bool) {
	rule, ok := ruleOf(rpc, path)
	if !ok {
		return strings.NewReplacer("_", " ", ".", ": ").Replace(path), true
	}
	if t, ok := terms()[rule.GetDpv()]; ok {
		return t.in(l), true
	}
	if rule.GetClass() <= vocabularyv1.DataClass_DATA_CLASS_INTERNAL {
		return "", false
	}
	return strings.NewReplacer("_", " ", ".", ": ").Replace(path), true
}

// ruleOf finds the rule beside a field of an RPC's response.
func ruleOf(rpc, path string) (*optionsv1.FieldRule, bool) {
	service, name, _ := strings.Cut(rpc, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, false
	}
	sd, ok := found.(protoreflect.ServiceDescriptor)
	if !ok || sd.Methods().ByName(protoreflect.Name(name)) == nil {
		return nil, false
	}
	message := sd.Methods().ByName(protoreflect.Name(name)).Output()
	var field protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(path, ".") {
		if message == nil {
			return nil, false
		}
		if field = message.Fields().ByName(protoreflect.Name(part)); field == nil {
			return nil, false
		}
		message = field.Message()
	}
	rule, ok := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldRule)
	return rule, ok && rule != nil
}
