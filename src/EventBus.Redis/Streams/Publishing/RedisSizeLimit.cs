using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores the maximum length of one argument, as the server last reported it, so that longer events are refused before
/// they are sent. Thread-safe.
/// </summary>
internal sealed class RedisSizeLimit(IDatabase database, TimeProvider time)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private long known = RedisArgumentLimit.Usual;
    private long askedAt;

    /// <summary>
    /// True if an event is longer than the last known limit of Redis. Does not wait for an answer, because events that
    /// are published afterwards must not overtake this one.
    /// </summary>
    public bool IsExceededBy(Envelope envelope)
    {
        if (time.GetElapsedTime(Volatile.Read(ref askedAt)) > Period)
        {
            _ = AskAsync(CancellationToken.None);
        }

        return envelope.Body.Length > Volatile.Read(ref known);
    }

    /// <summary>Asks for the limit again before an event is refused, because it may have been raised.</summary>
    /// <returns>The error if the event is longer than the limit; otherwise null.</returns>
    public async Task<EventBusException?> CheckAsync(Envelope envelope, CancellationToken deadline)
    {
        await AskAsync(deadline);
        var (length, limit) = (envelope.Body.Length, Volatile.Read(ref known));
        return length > limit
            ? new EventBusException(
                $"The event has {length:N0} bytes; Redis reads {limit:N0} at most (proto-max-bulk-len). "
                    + "Make it smaller, or raise the limit of the server.")
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
                .WaitAsync(RedisConnector.Answer, time, cancellationToken);
            Volatile.Write(ref known, limit);
        }
        catch (Exception)
        {
            // The outcome of the event itself reports the problem.
        }
    }
}
