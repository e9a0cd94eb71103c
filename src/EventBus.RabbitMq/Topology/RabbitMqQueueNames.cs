using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace EventBus;

/// <summary>Builds the names of a service's queues, and finds the subscription of a queue by its name.</summary>
/// <remarks>
/// The name of a subscription's queue separates its parts with a colon, which no part may contain. The names of the
/// service's own queues use a dot. So two names are never equal, whatever the services and subscriptions are called.
/// </remarks>
internal sealed class RabbitMqQueueNames(string serviceName)
{
    private const char Separator = ':';
    private const char HashMark = '#';

    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+");

    /// <summary>Gets the name of a queue of the service itself.</summary>
    public string OfService(string kind)
    {
        var name = $"{serviceName}.{kind}";
        return IsPlain(serviceName) && name.Length <= AmqpShortString.MaxBytes ? name : Hashed(name, "own", [serviceName, kind]);
    }

    /// <summary>Gets the name of a queue of a subscription.</summary>
    public string OfSubscription(string subscription, string? kind = null)
    {
        string[] parts = kind is null ? [serviceName, subscription] : [serviceName, subscription, kind];
        var name = string.Join(Separator, parts);
        return parts.All(IsPlain) && name.Length <= AmqpShortString.MaxBytes ? name : Hashed(name, "subscription", parts);
    }

    /// <summary>
    /// Returns an error if the name of a subscription's queue would be longer than RabbitMQ allows; otherwise null.
    /// </summary>
    /// <param name="subscriptions">The subscriptions.</param>
    /// <param name="kind">The longest kind of queue that they need; null for none but the queue itself.</param>
    public string? ProblemOf(IEnumerable<string> subscriptions, string? kind)
    {
        var longest = subscriptions.MaxBy(subscription => subscription.Length);
        var length = serviceName.Length + 1 + longest?.Length + (kind is null ? 0 : kind.Length + 1);
        return longest is null || length <= AmqpShortString.MaxBytes
            ? null
            : $"The name of a queue of the subscription '{longest}' would have {length} bytes, and RabbitMQ allows "
                + $"{AmqpShortString.MaxBytes}: it begins with the service name '{serviceName}' ({serviceName.Length} bytes). Shorten "
                + "EventBusOptions.ServiceName, the key of the bus, or the name of the subscription.";
    }

    /// <summary>Gets the subscription of a queue; null for any other queue, including a retry queue.</summary>
    /// <param name="queue">The name of the queue.</param>
    /// <param name="known">
    /// The subscriptions of this application. Others are found only if the queue name contains no hash.
    /// </param>
    public string? SubscriptionOf(string queue, IEnumerable<string> known)
    {
        var found = known.FirstOrDefault(subscription => OfSubscription(subscription) == queue);
        if (found is not null)
        {
            return found;
        }

        var prefix = $"{serviceName}{Separator}";
        var isOfSubscription = queue.StartsWith(prefix, StringComparison.Ordinal)
            && queue.AsSpan(prefix.Length).IndexOfAny(Separator, HashMark) < 0;
        return isOfSubscription ? queue[prefix.Length..] : null;
    }

    // A bus accepts only names of plain characters. Other names occur only if the transport is used without a bus.
    private static bool IsPlain(string part) => !part.AsSpan().ContainsAnyExcept(PlainCharacters);

    /// <summary>
    /// Shortens a name to the available length, without its special characters, and appends a hash of its parts.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="owner">
    /// The word that separates the hashes of a service's own queues from those of subscriptions.
    /// </param>
    /// <param name="parts">The parts of the name.</param>
    private static string Hashed(string name, string owner, IReadOnlyList<string> parts)
    {
        var text = new StringBuilder(owner);
        foreach (var part in parts)
        {
            text.Append('\0').Append(part.Length).Append('\0').Append(part);
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
        var available = AmqpShortString.MaxBytes - hash.Length - 1;
        var readable = new string([.. name.Where(c => PlainCharacters.Contains(c) || c == Separator).Take(available)]);
        return $"{readable}{HashMark}{hash}";
    }
}
