using EventBus.Stores;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores when each subscription was last in use, for all applications that share the key prefix. There is one hash for
/// each backend. A field is <c>application:subscription</c>, and its value is the time of the last use.
/// </summary>
internal sealed class RedisSubscriptionStore(RedisStoreLink link, string keyPrefix, ILogger log) : SubscriptionStore
{
    // Neither name contains a colon.
    private const char Separator = ':';

    private bool isDenialLogged;

    public override async ValueTask<IReadOnlyList<(string Service, string Name, DateTimeOffset LastSeen)>> RecordAsync(
        string backend,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        try
        {
            if (subscriptions.Count > 0)
            {
                HashEntry[] fields =
                    [.. subscriptions.Select(subscription => new HashEntry(FieldOf(link.Service, subscription), RedisTime.WriteText(now)))];
                await link.AskAsync(
                    async database =>
                    {
                        await database.HashSetAsync(KeyOf(backend), fields);
                        return true; // AskAsync requires a result.
                    },
                    cancellationToken);
            }

            var stored = await link.AskAsync(database => database.HashGetAllAsync(KeyOf(backend)), cancellationToken);
            return [.. stored.Select(Read).OfType<(string Service, string Name, DateTimeOffset LastSeen)>()];
        }
        catch (StoreRefusedException exception) when (exception.InnerException is { } cause && RedisErrors.IsDenied(cause))
        {
            if (!isDenialLogged)
            {
                isDenialLogged = true;
                log.NotChecked(
                    $"which subscriptions of the backend {backend} no instance uses",
                    $"HSET and HGETALL with the key {KeyOf(backend)}");
            }

            return [];
        }
    }

    public override async ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashDeleteAsync(KeyOf(backend), FieldOf(service, subscription)), cancellationToken);

    private RedisKey KeyOf(string backend) => $"{{{keyPrefix}}}:known:subscriptions:{backend}";

    private static string FieldOf(string service, string subscription) => $"{service}{Separator}{subscription}";

    /// <summary>Reads a field; returns null for a field that was not written by this store.</summary>
    private static (string Service, string Name, DateTimeOffset LastSeen)? Read(HashEntry entry)
    {
        var field = (string)entry.Name!;
        try
        {
            var separator = field.IndexOf(Separator, StringComparison.Ordinal);
            return separator > 0
                ? (field[..separator], field[(separator + 1)..], RedisTime.ReadText((string)entry.Value!))
                : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
