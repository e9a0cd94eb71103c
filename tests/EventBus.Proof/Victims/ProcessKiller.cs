namespace EventBus.Proof;

/// <summary>Kills the process at a named point of a given event, the first time that a process reaches it.</summary>
internal sealed class ProcessKiller(string folder, Journal journal)
{
    private const string Extension = ".fired";

    /// <summary>
    /// Returns the events whose point was reached, from the marks. The journal may lack an entry, because a process may
    /// be killed for another event before it has written it.
    /// </summary>
    public static IEnumerable<long> Reached(string folder) =>
        Directory.EnumerateFiles(folder, $"*{Extension}").Select(path => long.Parse(Path.GetFileNameWithoutExtension(path)));

    public void At(Failpoint point, Failpoint planned, long number)
    {
        if (point == planned)
        {
            Kill($"{number}{Extension}", number, (long)point);
        }
    }

    /// <summary>Kills the process, unless one was killed under this name before.</summary>
    public void Kill(string name, long number, long point)
    {
        if (Mark(name))
        {
            journal.Write(Kind.SelfKill, number, point, Environment.ProcessId);
            Native.KillSelf();
        }
    }

    /// <summary>Creates a mark. Returns true for the first process only, and false for all later calls.</summary>
    public bool Mark(string name)
    {
        try
        {
            using var mark = new FileStream(Path.Combine(folder, name), FileMode.CreateNew);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
