namespace EventBus;

/// <summary>The reason why an event becomes a dead letter at once: its handler is not called, or not again.</summary>
internal sealed record Rejection(DeadLetterReason Reason, string Error)
{
    /// <summary>The beginning of the error for a body without any member of the event type.</summary>
    public const string OtherMembers = "The body is an object without any member of ";

    /// <summary>The beginning of <see cref="Foreign"/> for such a body.</summary>
    public const string ForeignMembers = " Its members are ";

    /// <summary>
    /// The end of the error, which contains text from the message. It is shown in the dead letter, and not written to
    /// logs. Null for none.
    /// </summary>
    public string? Foreign { get; init; }

    /// <summary>
    /// Removes the member names that came from the message, and may be confidential, from the error of a dead letter.
    /// </summary>
    public static string? WithoutForeign(string? error)
    {
        if (error is null || !error.Contains(OtherMembers, StringComparison.Ordinal))
        {
            return error;
        }

        var end = error.IndexOf(ForeignMembers, StringComparison.Ordinal);
        return end >= 0 ? error[..end] : error;
    }
}
