"""ISO 3166 alpha-2 codes of countries that a source writes out in English."""

_NAMES = """
AD Andorra|AE United Arab Emirates|AF Afghanistan|AG Antigua and Barbuda|AI Anguilla|AL Albania|AM Armenia|AO Angola|AQ Antarctica
AR Argentina|AS American Samoa|AT Austria|AU Australia|AW Aruba|AX Åland Islands|AX Aland Islands|AZ Azerbaijan
BA Bosnia and Herzegovina|BB Barbados|BD Bangladesh|BE Belgium|BF Burkina Faso|BG Bulgaria|BH Bahrain|BI Burundi|BJ Benin
BL Saint Barthélemy|BM Bermuda|BN Brunei|BN Brunei Darussalam|BO Bolivia|BQ Bonaire, Sint Eustatius, and Saba|BQ Caribbean Netherlands
BR Brazil|BS Bahamas|BT Bhutan|BW Botswana|BY Belarus|BZ Belize|CA Canada|CC Cocos (Keeling) Islands
CD Democratic Republic of the Congo|CD DR Congo|CD Congo, Democratic Republic of the|CF Central African Republic
CG Republic of the Congo|CG Congo|CG Congo Republic|CH Switzerland|CI Ivory Coast|CI Côte d'Ivoire|CI Cote d'Ivoire|CK Cook Islands
CL Chile|CM Cameroon|CN China|CO Colombia|CR Costa Rica|CU Cuba|CV Cape Verde|CV Cabo Verde|CW Curaçao|CW Curacao|CX Christmas Island
CY Cyprus|CZ Czechia|CZ Czech Republic|DE Germany|DJ Djibouti|DK Denmark|DM Dominica|DO Dominican Republic|DZ Algeria|EC Ecuador
EE Estonia|EG Egypt|EH Western Sahara|ER Eritrea|ES Spain|ET Ethiopia|FI Finland|FJ Fiji|FK Falkland Islands
FK Falkland Islands (Malvinas)|FM Micronesia|FM Federated States of Micronesia|FO Faroe Islands|FR France|GA Gabon|GB United Kingdom
GB Great Britain|GB United Kingdom of Great Britain and Northern Ireland|GD Grenada|GE Georgia|GF French Guiana|GG Guernsey|GH Ghana
GI Gibraltar|GL Greenland|GM Gambia|GM The Gambia|GN Guinea|GP Guadeloupe|GQ Equatorial Guinea|GR Greece
GS South Georgia and the South Sandwich Islands|GT Guatemala|GU Guam|GW Guinea-Bissau|GY Guyana|HK Hong Kong|HN Honduras|HR Croatia
HT Haiti|HU Hungary|ID Indonesia|IE Ireland|IL Israel|IM Isle of Man|IN India|IO British Indian Ocean Territory|IQ Iraq|IR Iran
IR Iran, Islamic Republic of|IS Iceland|IT Italy|JE Jersey|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KG Kyrgyzstan|KH Cambodia
KI Kiribati|KM Comoros|KN Saint Kitts and Nevis|KN St Kitts and Nevis|KP North Korea|KR South Korea|KR Korea, Republic of
KR Republic of Korea|KW Kuwait|KY Cayman Islands|KZ Kazakhstan|LA Laos|LB Lebanon|LC Saint Lucia|LC St Lucia|LI Liechtenstein
LK Sri Lanka|LR Liberia|LS Lesotho|LT Lithuania|LU Luxembourg|LV Latvia|LY Libya|MA Morocco|MC Monaco|MD Moldova
MD Republic of Moldova|ME Montenegro|MF Saint Martin|MG Madagascar|MH Marshall Islands|MK North Macedonia|MK Macedonia|ML Mali
MM Myanmar|MM Burma|MN Mongolia|MO Macao|MO Macau|MP Northern Mariana Islands|MQ Martinique|MR Mauritania|MS Montserrat|MT Malta
MU Mauritius|MV Maldives|MW Malawi|MX Mexico|MY Malaysia|MZ Mozambique|NA Namibia|NC New Caledonia|NE Niger|NF Norfolk Island
NG Nigeria|NI Nicaragua|NL Netherlands|NL The Netherlands|NO Norway|NP Nepal|NR Nauru|NU Niue|NZ New Zealand|OM Oman|PA Panama
PE Peru|PF French Polynesia|PG Papua New Guinea|PH Philippines|PK Pakistan|PL Poland|PM Saint Pierre and Miquelon|PN Pitcairn
PN Pitcairn Islands|PR Puerto Rico|PS Palestine|PS Palestinian Territory|PS State of Palestine|PT Portugal|PW Palau|PY Paraguay
QA Qatar|RE Réunion|RE Reunion|RO Romania|RS Serbia|RU Russia|RU Russian Federation|RW Rwanda|SA Saudi Arabia|SB Solomon Islands
SC Seychelles|SD Sudan|SE Sweden|SG Singapore|SH Saint Helena|SI Slovenia|SJ Svalbard and Jan Mayen|SK Slovakia|SL Sierra Leone
SM San Marino|SN Senegal|SO Somalia|SR Suriname|SS South Sudan|ST São Tomé and Príncipe|ST Sao Tome and Principe|SV El Salvador
SX Sint Maarten|SY Syria|SY Syrian Arab Republic|SZ Eswatini|SZ Swaziland|TC Turks and Caicos Islands|TD Chad
TF French Southern Territories|TG Togo|TH Thailand|TJ Tajikistan|TK Tokelau|TL Timor-Leste|TL East Timor|TM Turkmenistan|TN Tunisia
TO Tonga|TR Turkey|TR Türkiye|TR Turkiye|TT Trinidad and Tobago|TV Tuvalu|TW Taiwan|TW Taiwan, Province of China|TZ Tanzania|UA Ukraine|UG Uganda
UM United States Minor Outlying Islands|US United States|US United States of America|US USA|UY Uruguay|UZ Uzbekistan|VA Vatican City
VA Holy See|VC Saint Vincent and the Grenadines|VC St Vincent and Grenadines|VE Venezuela|VG British Virgin Islands
VI U.S. Virgin Islands|VI US Virgin Islands|VN Vietnam|VN Viet Nam|VU Vanuatu|WF Wallis and Futuna|WS Samoa|XK Kosovo|YE Yemen
YT Mayotte|ZA South Africa|ZM Zambia|ZW Zimbabwe
"""

_CODES: dict[str, str] = {entry[3:].casefold(): entry[:2] for line in _NAMES.strip().splitlines() for entry in line.split("|")}
_KNOWN = frozenset(_CODES.values())


def country_code(text: str) -> str | None:
    """The code of a country given by its English name or by the code itself; ``None`` for anything else.

    >>> country_code("United States"), country_code("de"), country_code("Atlantis")
    ('US', 'DE', None)
    """
    if len(text) == 2:
        code = text.upper()
        return code if code in _KNOWN else None
    return _CODES.get(text.casefold())
