namespace EventBus;

/// <summary>
/// Another attempt holds the claim of the event in an idempotent subscription; the handler was not called.
/// </summary>
/// <param name="Attempts">The number of attempts before this one, which does not count.</param>
/// <param name="Recheck">The time after which the event is attempted again.</param>
internal sealed record ClaimedElsewhere(int Attempts, TimeSpan Recheck) : Failure;
