namespace EventBus;

/// <summary>Why a delivery was not handled.</summary>
internal abstract record Failure;

/// <summary>The handler threw, or did not end in time.</summary>
internal sealed record Threw(Exception Exception) : Failure
{
    /// <summary>It uses up a start of the event's budget. Not while its subscription is paused because everything fails.</summary>
    public bool Counts { get; init; } = true;
}

/// <summary>The event cannot be handled by anyone here; no handler was started.</summary>
internal sealed record Rejected(Rejection Rejection) : Failure;

/// <summary>An order guard lets the event wait; no handler was started.</summary>
/// <param name="Stamp">What the guard saw of the key.</param>
/// <param name="Position">The event's number; null where the guard does not count.</param>
/// <param name="Recheck">When to ask again at the latest.</param>
/// <param name="Timeout">How long it may wait in all.</param>
internal sealed record Deferred(long Stamp, long? Position, TimeSpan Recheck, TimeSpan Timeout) : Failure
{
    /// <summary>Before this time it is not given up, whatever its deadline says: what it waits for had no chance to come.</summary>
    public DateTimeOffset NotGivenUpBefore { get; init; }
}

/// <summary>The bus is stopping, or another instance has taken over: it does not count, and comes again.</summary>
internal sealed record Interrupted : Failure
{
    public static Interrupted Instance { get; } = new();
}

/// <summary>Why an event goes to the dead letters without its handler being started.</summary>
internal sealed record Rejection(DeadLetterReason Reason, string Error)
{
    /// <summary>How the error of a body begins that is no such event.</summary>
    public const string OtherMembers = "The body is an object without any member of ";

    /// <summary>How its <see cref="Foreign"/> begins.</summary>
    public const string ForeignMembers = " Its members are ";

    /// <summary>The end of the error, of texts that somebody else chose: for those who look at the dead letter, and not for logs. Null for none.</summary>
    public string? Foreign { get; init; }

    /// <summary>The error of a dead letter without the names that somebody else chose, which may be content.</summary>
    public static string? WithoutForeign(string? error) =>
        error is not null && error.Contains(OtherMembers, StringComparison.Ordinal) && error.IndexOf(ForeignMembers, StringComparison.Ordinal) is >= 0 and var end ? error[..end] : error;
}
