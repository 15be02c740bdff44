"""A client of another stack: zeep generates it from the official WSDLs, and it talks to the simulators over mutual TLS.

Reads its configuration as JSON from standard input, and writes what it got as JSON to standard output.
"""

import json
import sys

import requests
import zeep
import zeep.helpers

SPAR_SCHEMAS = "http://xmls.statenspersonadressregister.se/se/spar/"


class Transport(zeep.Transport):
    """Reads the schemas that SPAR's WSDL names by their address from the folder of official schemas. Nothing else is fetched."""

    def __init__(self, session, folder):
        super().__init__(session=session)
        self.folder = folder

    def load(self, url):
        if url.startswith(SPAR_SCHEMAS):
            url = self.folder + "/" + url[len(SPAR_SCHEMAS):]
        if "://" in url:
            raise ValueError("not a local file")
        with open(url, "rb") as file:
            return file.read()


def main():
    config = json.load(sys.stdin)
    session = requests.Session()
    session.trust_env = False
    session.cert = (config["cert"], config["key"])
    session.verify = config["ca"]

    def connect(name, binding):
        transport = Transport(session, config["spar_schemas"])
        client = zeep.Client(config[name]["wsdl"], transport=transport, settings=zeep.Settings(strict=True))
        return client, client.create_service(binding, config[name]["url"])

    got = {}
    client, spar = connect("spar", "{http://statenspersonadressregister.se/personsok/2021.1}PersonsokServiceSOAP")
    identification = {
        "KundNrLeveransMottagare": 500243, "KundNrSlutkund": 500243, "UppdragId": 637, "SlutAnvandarId": "officer-7",
    }
    for number in config["spar"]["numbers"]:
        try:
            answer = spar.PersonSok(Identifieringsinformation=identification, PersonsokningFraga={"IdNummer": number})
            got[number] = zeep.helpers.serialize_object(answer, dict)
        except zeep.exceptions.Fault as fault:
            got[number] = {"fault": fault.code}
    answer = spar.PersonSok(
        Identifieringsinformation=dict(identification, SlutAnvandarUtokadBehorighet=["Relationer", "Medborgarskap"]),
        # zeep writes every question but can't read some of them back, as the answer repeats them: two choices of the schema in a row
        # that are both empty confuse it.
        PersonsokningFraga={"FonetiskSokning": "JA", "NamnSokArgument": "Kristina Efternamn*"})
    got["search"] = zeep.helpers.serialize_object(answer, dict)

    space = "{http://serviceplatformen.dk/xml/wsdl/soap11/CPR/PersonBaseDataExtended/4/}"
    client, cpr = connect("sf1520", space + "PersonBaseDataExtendedBinding")
    for number in config["sf1520"]["numbers"]:
        try:
            answer = cpr.PersonLookup(InvocationContext=config["sf1520"]["context"], PNR=number)
            got[number] = zeep.helpers.serialize_object(answer, dict)
        except zeep.exceptions.Fault as fault:
            codes = [e.text for e in fault.detail.iter("{*}ErrorCode")] if fault.detail is not None else []
            got[number] = {"fault": fault.code, "codes": codes}

    space = "{http://serviceplatformen.dk/xml/wsdl/soap11/CprSubscriptionService/1/}"
    client, subscription = connect("subscription", space + "CprSubscriptionWebServiceBinding")
    context = config["subscription"]["context"]
    got["subscription"] = [
        subscription.AddPNRSubscription(InvocationContext=context, PNR="0709614126"),
        subscription.AddPNRSubscription(InvocationContext=context, PNR="0709614126"),
        subscription.AddPNRSubscription(InvocationContext=context, PNR="0709614045"),
        subscription.RemovePNRSubscription(InvocationContext=context, PNR="0709614045"),
        subscription.AddAgeRangeSubscription(InvocationContext=context, AgeRange={"StartAge": 0, "EndAge": 17}),
        subscription.AddMunicipalityCodeSubscription(InvocationContext=context, MunicipalityCode=851),
        subscription.AddChangeCodeSubscription(InvocationContext=context, ChangeCode="A01"),
        zeep.helpers.serialize_object(subscription.GetAllFilters(InvocationContext=context), dict),
        subscription.RemoveAll(InvocationContext=context, FilterGroup="AgeRange"),
    ]
    json.dump(got, sys.stdout, default=str)


main()
