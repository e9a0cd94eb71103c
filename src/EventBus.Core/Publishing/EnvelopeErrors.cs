using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the exceptions for events that are rejected before they are sent.</summary>
internal static class EnvelopeErrors
{
    private const string RaiseLimit =
        $"If it must be this large, raise {nameof(EventBusOptions)}.{nameof(EventBusOptions.MaxBodyBytes)}.";

    /// <summary>Creates the exception for an event whose key could not be read.</summary>
    public static PublishException NoKey(EventDescriptor descriptor, Exception cause) => new(
        $"The event '{descriptor.Name}' was not published: the function given to KeyedBy for {descriptor.Type} threw "
            + $"{ExceptionText.Of(cause)}",
        PublishFailure.Rejected,
        null,
        cause);

    /// <summary>
    /// Creates the exception for an event that could not be serialized. An exception of the bus already says why.
    /// </summary>
    public static PublishException NotSerialized(Envelope envelope, EventDescriptor descriptor, Exception cause)
    {
        var reason = ExceptionText.MessageOf(cause);
        return new PublishException(
            cause is EventBusException
                ? reason
                : $"The event '{envelope.Name}' of the type {descriptor.Type} cannot be written as JSON: {reason}",
            PublishFailure.Rejected,
            envelope.Id,
            cause);
    }

    /// <summary>
    /// Creates the exception for an event that is too large, which names the members that make it large.
    /// </summary>
    public static PublishException TooLarge(Envelope envelope, EventSizeLimits limits) => new(
        $"The event '{envelope.Name}' has {envelope.Body.Length:N0} bytes as JSON; at most {limits.MaxBytes:N0} are allowed."
            + $"{envelope.DescribeLargestMembers()} Events carry ids, not whole objects: publish the id, and let handlers load what they "
            + $"need. {(limits.Backend is { } backend ? $"{backend} carries no larger event." : RaiseLimit)}",
        PublishFailure.Rejected,
        envelope.Id);
}
