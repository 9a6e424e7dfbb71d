"""What each Microsoft 365 rule of the Panther collection is about, in this product's kinds."""

KINDS: dict[str, set[str]] = {
    "Microsoft365.Brute.Force.Login.by.User": {"auth.login"},
    "Microsoft365.External.Document.Sharing": {"data.export", "api.request"},  # beside one that stays within the organisation
}
