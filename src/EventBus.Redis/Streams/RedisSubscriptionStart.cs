using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Prepares the reading of a subscription when it starts: creates its group, and opens its connection. Explains why
/// Redis refuses a group.
/// </summary>
/// <param name="connection">The shared connection.</param>
/// <param name="names">The names of the keys.</param>
/// <param name="failFast">True to throw if the group cannot be created now, for whatever reason.</param>
internal sealed class RedisSubscriptionStart(IConnectionMultiplexer connection, RedisTopology names, bool failFast)
{
    /// <summary>Creates the group where it is missing, and opens the connection at the same time.</summary>
    /// <param name="group">The group.</param>
    /// <param name="positions">The positions of the group in its streams.</param>
    /// <param name="blocking">The connection; closed if an error is thrown.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>True if the group exists. Otherwise the receiver creates it as soon as Redis answers.</returns>
    public async Task<bool> RunAsync(
        RedisGroup group, RedisGroupPositions positions, RedisBlockingConnection blocking, CancellationToken cancellationToken)
    {
        try
        {
            // The connection opens while the group is created. If Redis is unreachable, the read loop opens it later,
            // unless the start must fail.
            Task opening = failFast || connection.IsConnected ? blocking.GetAsync(cancellationToken).Observed() : Task.CompletedTask;
            var groupExists = await TryCreateAsync(group, positions, cancellationToken);
            if (groupExists)
            {
                await opening;
            }

            return groupExists;
        }
        catch
        {
            _ = blocking.CloseAsync();
            throw;
        }
    }

    /// <summary>Creates the group where it is missing. After a degraded start the receiver creates it later.</summary>
    /// <returns>True if the group exists.</returns>
    private async Task<bool> TryCreateAsync(RedisGroup group, RedisGroupPositions positions, CancellationToken cancellationToken)
    {
        if (!failFast && !connection.IsConnected)
        {
            // Without a connection the command would fail or, over the application's connection, wait in a queue.
            return false;
        }

        try
        {
            await positions.CreateAsync(existed: false, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            var isPermanent = RedisErrors.IsRefusal(exception) || RedisErrors.IsWrongType(exception);
            if (!failFast && !isPermanent)
            {
                return false;
            }

            var streams = string.Join(", ", group.Streams.Select(stream => $"'{stream}'"));
            throw new EventBusException(
                $"Redis did not create the consumer group '{group.Name}' of {streams}: {names.Address.Explain(exception).Message}"
                    + AdviceOn(exception),
                exception);
        }
    }

    /// <summary>Gets the advice for an operator after a group could not be created; empty if there is none.</summary>
    private string AdviceOn(Exception exception)
    {
        if (RedisErrors.IsWrongType(exception))
        {
            return " One of these keys is not a stream: rename it, or delete it.";
        }

        return RedisErrors.IsRefusal(exception)
            ? $" The user needs the keys '{names.AnyStream}' and the commands of streams, sets, hashes, keys and scripts: ACL SETUSER ... "
                + $"~{names.AnyStream} +@stream +@set +@hash +@string +@keyspace +@scripting +@transaction +@connection +info."
            : "";
    }
}
