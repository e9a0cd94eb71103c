namespace EventBus;

/// <summary>Names the bus to which a subscription forwards its events.</summary>
/// <param name="To">The key of the bus; null for the default bus.</param>
internal sealed record ForwardRegistration(string? To)
{
    /// <summary>Returns how errors and logs name a bus.</summary>
    /// <param name="key">The key of the bus; null for the default bus.</param>
    public static string NameOf(string? key) => key is null ? "the default bus" : $"the bus '{key}'";

    /// <summary>Returns the name of a subscription that forwards to a bus, if the application sets none.</summary>
    /// <param name="key">The key of the bus; null for the default bus.</param>
    public static string SubscriptionOf(string? key) => key is null
        ? "forward-default"
        : $"forward-{string.Concat(key.Select(NameCharacterOf))}";

    private static char NameCharacterOf(char c) =>
        char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? char.ToLowerInvariant(c) : '-';
}
