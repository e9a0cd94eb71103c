namespace EventBus;

/// <summary>Contains what the JSON type information of one type says about reading it back.</summary>
/// <param name="Type">The type.</param>
/// <param name="Path">The members that lead to it from the event; empty for the type of the event itself.</param>
/// <param name="Unreadable">The reason that a value cannot be read, with the correction; null if it can.</param>
/// <param name="Lost">The members whose data are lost on the way, each group with the correction.</param>
internal sealed record JsonContract(Type Type, string Path, string? Unreadable, IReadOnlyList<string> Lost)
{
    /// <summary>True if a value can be neither written nor read.</summary>
    public bool IsInvalid { get; init; }
}
