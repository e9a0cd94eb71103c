using System.Text;

namespace EventBus;

/// <summary>
/// Writes what an alert is about in one line: service, subscription, event, key, attempts, type of the error, reason.
/// It contains nothing of the body, the headers or the message of the error.
/// </summary>
internal static class AlertFacts
{
    /// <summary>The maximum length of a name, an id or a key in the line, in characters.</summary>
    public const int MaxName = 150;

    /// <summary>The subscription of the dead letters of delayed events.</summary>
    public const string DelayedSubscription = "eventbus/delayed";

    /// <summary>Adds <see cref="DeadLetterAlert.Summary"/> to an alert that is otherwise complete.</summary>
    public static DeadLetterAlert AddSummary(DeadLetterAlert alert) =>
        alert with { Summary = $"{Of(alert, (text, max) => PrintableText.Of(text, max))}: {alert.Link ?? alert.FindCall}" };

    /// <summary>Writes the facts.</summary>
    /// <param name="alert">The alert.</param>
    /// <param name="plain">
    /// Returns the beginning of a text, up to a length, in the form that the receiver displays.
    /// </param>
    public static string Of(DeadLetterAlert alert, Func<string, int, string> plain)
    {
        var first = alert.First;
        var isSaga = first.Reason == DeadLetterReason.SagaNeedsAttention;
        var text = new StringBuilder(alert.ServiceName.Length > 0 ? $"{Name(alert.ServiceName)}: " : "");

        // The subscription of delayed events has a slash, which is markup in other names.
        text.Append(first.Subscription == DelayedSubscription ? first.Subscription : Name(first.Subscription));
        text.Append(isSaga ? " needs attention: " : " failed for good on ");
        text.Append(alert.Count == 1 ? "" : $"{alert.Count} {(isSaga ? "sagas" : "events")}, the first ");
        text.Append(isSaga ? "" : $"{Name(first.EventName)} ").Append(Name(first.EventId)).Append(" (");

        // The key of a saga is its id.
        text.Append(first.Key is { } key && !isSaga ? $"key {Name(key)}, " : "");
        text.Append(first.Attempts).Append(first.Attempts == 1 ? " attempt, " : " attempts, ");
        text.Append(first.ErrorType is { } type ? $"{Name(type)}, " : "");
        return text.Append(first.Reason).Append(')').ToString();

        string Name(string name) => name.Length <= MaxName ? plain(name, MaxName) : $"{plain(name, MaxName)}...";
    }
}
