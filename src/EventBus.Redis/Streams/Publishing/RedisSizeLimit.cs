using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores the maximum length of one argument of a command, as the server last reported it, so that events with a longer
/// body are rejected before they are sent. Thread-safe.
/// </summary>
internal sealed class RedisSizeLimit(IDatabase database, TimeProvider time)
{
    // The age at which the known limit is queried again.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);

    private long lastKnown = RedisArgumentLimit.Usual;
    private long askedAt;

    /// <summary>
    /// True if the body of an event is longer than the last known limit. Does not wait for an answer, because events
    /// that are published afterwards must not overtake this one.
    /// </summary>
    public bool IsExceededBy(Envelope envelope)
    {
        if (time.GetElapsedTime(Volatile.Read(ref askedAt)) > MaxAge)
        {
            _ = AskAsync(CancellationToken.None);
        }

        return envelope.Body.Length > Volatile.Read(ref lastKnown);
    }

    /// <summary>Asks for the limit again before an event is rejected, because it may have been raised.</summary>
    /// <returns>The error if the event is longer than the limit; otherwise null.</returns>
    public async Task<EventBusException?> CheckAsync(Envelope envelope, CancellationToken deadline)
    {
        await AskAsync(deadline);
        var length = envelope.Body.Length;
        var limit = Volatile.Read(ref lastKnown);
        return length > limit
            ? new EventBusException(
                $"The body of the event has {length:N0} bytes; Redis accepts {limit:N0} at most (proto-max-bulk-len)."
                    + $"{envelope.DescribeLargestMembers()} Make it smaller, or raise the limit of the server.")
            : null;
    }

    /// <summary>
    /// Asks for the maximum length of an argument. Never throws; without an answer the last known limit stays.
    /// </summary>
    public async Task AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            Volatile.Write(ref askedAt, time.GetTimestamp());
            var limit = await RedisArgumentLimit.AskAsync(arguments => database.ExecuteAsync("CONFIG", arguments))
                .WaitAsync(RedisConnector.CommandTimeout, time, cancellationToken);
            Volatile.Write(ref lastKnown, limit);
        }
        catch (Exception)
        {
            // If Redis cannot be reached, the outcome of the next event says so.
        }
    }
}
