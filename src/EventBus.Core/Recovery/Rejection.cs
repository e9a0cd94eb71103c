namespace EventBus;

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
