using EventBus.Stores;

namespace EventBus;

/// <summary>Holds the lines of the failure store, by subscription and key. Not thread-safe.</summary>
internal sealed class FailureLines
{
    private readonly Dictionary<(string Subscription, string Key), FailureLine> lines = [];

    /// <summary>Finds the line of an event, which must have a line key; null if there is none.</summary>
    public FailureLine? Find(FailedEvent failed) => lines.GetValueOrDefault((failed.Subscription, failed.LineKey!));

    /// <summary>Adds an entry at the end of its line, if it has a line key.</summary>
    public void Join(FailedEntry entry)
    {
        if (entry.Event.LineKey is not { } key)
        {
            return;
        }

        var line = Find(entry.Event);
        if (line is null)
        {
            line = new FailureLine();
            lines.Add((entry.Event.Subscription, key), line);
        }

        entry.Line = line;
        entry.LineNode = line.Entries.AddLast(entry);
    }

    /// <summary>Removes an entry from its line.</summary>
    /// <returns>The new head of the line; null if the head is the same, or if the line is empty.</returns>
    public FailedEntry? Leave(FailedEntry entry)
    {
        if (entry.Line is not { } line)
        {
            return null;
        }

        var wasHead = entry.IsHead;
        line.Entries.Remove(entry.LineNode!);
        entry.Line = null;
        entry.LineNode = null;
        var next = line.Entries.First?.Value;
        if (next is null)
        {
            lines.Remove((entry.Event.Subscription, entry.Event.LineKey!));
        }

        return wasHead ? next : null;
    }
}
