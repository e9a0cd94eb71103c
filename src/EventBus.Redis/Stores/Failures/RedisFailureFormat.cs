using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads an entry from its parts: the state (<see cref="RedisFailureStateFormat"/>), the errors
/// (<see cref="RedisFailureErrorFormat"/>), and the attributes and the body of the event.
/// </summary>
internal static class RedisFailureFormat
{
    /// <summary>Splits the id of an entry into the name of its subscription and the id of its event.</summary>
    public static (string Subscription, string EventId) Split(string id)
    {
        var separator = id.IndexOf('~', StringComparison.Ordinal);
        return separator >= 0 ? (id[..separator], id[(separator + 1)..]) : (id, "");
    }

    /// <summary>
    /// Reads an entry; never throws. If the entry cannot be read, returns a placeholder that says so.
    /// </summary>
    public static FailedEvent Read(string id, in StoredFailure stored)
    {
        var (subscription, eventId) = Split(id);
        var state = RedisFailureStateFormat.Read(subscription, stored.State, out var defect);
        var name = state?.Name is { Length: > 0 } known ? known : CloudEventAttributes.UnreadableType;
        var body = (byte[]?)stored.Body;
        var envelope = StoreFormat.Read((byte[]?)stored.Event ?? [], body ?? [], eventId, name);
        if (body is null)
        {
            defect ??= "The stored body is missing.";
        }
        else if (envelope.Id != eventId)
        {
            defect ??= "The stored attributes are those of another event.";
        }

        if (defect is not null)
        {
            envelope = new Envelope(new EnvelopeAttributes { Id = eventId, Name = name, Defect = defect }, body ?? []);
        }

        var (error, errorType, details, history) = RedisFailureErrorFormat.Read((byte[]?)stored.Errors ?? []);
        var entry = state?.Entry ?? RedisFailureStateFormat.Placeholder;
        return entry with
        {
            Subscription = subscription,
            Envelope = envelope,
            Error = error ?? defect,
            ErrorType = errorType,
            ErrorDetails = details,
            History = history
        };
    }

    /// <summary>Returns true if an entry is readable as far as can be seen without its body.</summary>
    public static bool IsReadable(string id, RedisResult state, RedisResult attributes)
    {
        var (subscription, eventId) = Split(id);

        // For attributes that cannot be read, StoreFormat.Read returns the given id, which is empty here.
        return RedisFailureStateFormat.Read(subscription, state, out var defect) is not null
            && defect is null
            && StoreFormat.Read((byte[]?)attributes ?? [], [], "", "").Id == eventId;
    }
}
