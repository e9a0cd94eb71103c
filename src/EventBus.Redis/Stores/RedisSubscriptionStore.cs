using EventBus.Stores;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The subscriptions that were in use, of all applications that share the prefix: a hash for each backend, by the name of the application and that of the subscription.</summary>
internal sealed class RedisSubscriptionStore(RedisStoreLink link, RedisOptions options, ILogger log) : SubscriptionStore
{
    // Neither name holds one.
    private const char Separator = ':';

    private bool isRefused;

    public override async ValueTask<IReadOnlyList<SeenSubscription>> NoteAsync(string backend, IReadOnlyCollection<string> subscriptions, DateTimeOffset now, CancellationToken cancellationToken)
    {
        try
        {
            if (subscriptions.Count > 0)
            {
                HashEntry[] noted = [.. subscriptions.Select(subscription => new HashEntry(FieldOf(link.Service, subscription), RedisTime.WriteText(now)))];
                await link.AskAsync(
                    async database =>
                    {
                        await database.HashSetAsync(KeyOf(backend), noted);
                        return true;
                    },
                    cancellationToken);
            }

            var names = await link.AskAsync(database => database.HashGetAllAsync(KeyOf(backend)), cancellationToken);
            return [.. names.Select(Read).OfType<SeenSubscription>()];
        }
        catch (StoreRefusedException exception) when (exception.InnerException is { } cause && RedisErrors.IsDenied(cause))
        {
            if (!isRefused)
            {
                isRefused = true;
                log.NotChecked($"which subscriptions were left behind on the backend {backend}; that needs the key {KeyOf(backend)}", "HSET, HGETALL");
            }

            return [];
        }
    }

    public override async ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashDeleteAsync(KeyOf(backend), FieldOf(service, subscription)), cancellationToken);

    private RedisKey KeyOf(string backend) => $"{{{options.KeyPrefix}}}:known:subscriptions:{backend}";

    private static string FieldOf(string service, string subscription) => $"{service}{Separator}{subscription}";

    /// <summary>Null for what somebody else has written there.</summary>
    private static SeenSubscription? Read(HashEntry entry)
    {
        var field = (string)entry.Name!;
        try
        {
            return field.IndexOf(Separator, StringComparison.Ordinal) is > 0 and var at ? new SeenSubscription(field[..at], field[(at + 1)..], RedisTime.ReadText((string)entry.Value!)) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
