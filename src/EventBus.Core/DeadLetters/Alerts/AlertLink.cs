namespace EventBus;

/// <summary>
/// Makes the link of an alert from its template: <c>{id}</c> and the other names are replaced by the values, escaped as
/// a part of an address.
/// </summary>
internal static class AlertLink
{
    // A link beyond it is left out: a shortened one would lead nowhere.
    private const int MaxLength = 2_000;

    /// <summary>Returns the link; null without a template, or if the link would be too long.</summary>
    /// <param name="template">The template (<see cref="EventBusOptions.DeadLetterLink"/>); null for none.</param>
    /// <param name="service">The name of the application.</param>
    /// <param name="id">The id of the dead letter or of the saga.</param>
    /// <param name="subscription">The subscription of the dead letter, or the name of the saga.</param>
    public static string? Of(string? template, string service, string id, string subscription)
    {
        // Escaping replaces braces too, so that a value cannot contain another name.
        var link = template?
            .Replace("{service}", Uri.EscapeDataString(service), StringComparison.Ordinal)
            .Replace("{subscription}", Uri.EscapeDataString(subscription), StringComparison.Ordinal)
            .Replace("{id}", Uri.EscapeDataString(id), StringComparison.Ordinal);
        return link is { Length: <= MaxLength } ? link : null;
    }
}
