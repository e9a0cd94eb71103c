namespace EventBus.Stores;

/// <summary>Contains due entries and the time of the next ones.</summary>
/// <param name="Entries">The due entries, in the order of the method that returns them.</param>
/// <param name="NextDue">
/// The time at which the next known entry that is not among them becomes due; null for none.
/// </param>
/// <typeparam name="T">The type of the entries.</typeparam>
public readonly record struct DueBatch<T>(IReadOnlyList<T> Entries, DateTimeOffset? NextDue);
