namespace EventBus;

/// <summary>
/// Defines the names of the headers in which the bus describes a failure. Some differ from the words that the code now
/// uses: they cannot change, because messages in queues have them.
/// </summary>
internal static class FailureHeaderNames
{
    private const string Prefix = RabbitMqHeaderNames.BusPrefix;

    public const string Subscription = Prefix + "subscription";
    public const string Attempts = Prefix + "starts";
    public const string ManualRetries = Prefix + "replays";
    public const string FirstFailedAt = Prefix + "first-failed";
    public const string LastFailedAt = Prefix + "last-failed";
    public const string Reason = Prefix + "reason";
    public const string Number = Prefix + "number";
    public const string WasInterrupted = Prefix + "suspect";

    /// <summary>Present if <c>FailedEvent.Concurrent</c> is above zero; its value is not kept.</summary>
    public const string IsConcurrent = Prefix + "accompanied";

    public const string Error = Prefix + "error";
    public const string ErrorType = Prefix + "error-type";
    public const string ErrorDetails = Prefix + "error-details";
    public const string Defect = Prefix + "defect";
    public const string FullBodyLength = Prefix + "body-length";
}
