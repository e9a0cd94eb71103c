namespace Checkout.Demo;

/// <summary>Draws events on a time axis that begins when a request was sent.</summary>
internal sealed class Timeline(TimeProvider time, long zero)
{
    private const int BlocksPerSecond = 10;

    public void Draw(TimeSpan request, IReadOnlyList<HandlerRun> runs)
    {
        var seconds = runs.Count == 0 ? 0 : (int)runs.Max(run => After(run.End)).TotalSeconds;
        var scale = string.Concat(Enumerable.Range(0, seconds + 1).Select(second => $"{second} s".PadRight(BlocksPerSecond)));
        Screen.Text($"{"",-16} {"start",7} {"end",9}    {scale}");
        Row("the request", TimeSpan.Zero, request, '░');
        foreach (var run in runs.OrderBy(run => run.End))
        {
            Row(run.Subscription, After(run.Start), After(run.End), '█');
        }
    }

    /// <summary>Prints one line for each run, with its end.</summary>
    public void List(IEnumerable<HandlerRun> runs, string what)
    {
        var number = 0;
        foreach (var run in runs)
        {
            Event($"{run.Subscription}, {what} {++number}", run.End, run.Error ?? "sent");
        }
    }

    public void Event(string what, long timestamp, string text) =>
        Screen.Text($"{what,-24} {Screen.Seconds(After(timestamp))}   {text}");

    private TimeSpan After(long timestamp) => time.GetElapsedTime(zero, timestamp);

    private static void Row(string name, TimeSpan start, TimeSpan end, char block)
    {
        var (from, to) = (Blocks(start), Blocks(end));
        var bar = new string(' ', from) + new string(block, Math.Max(1, to - from));
        Screen.Text($"{name,-16} {Screen.Seconds(start)}   {Screen.Seconds(end)}    {bar}");
    }

    private static int Blocks(TimeSpan time) => (int)Math.Round(time.TotalSeconds * BlocksPerSecond);
}
