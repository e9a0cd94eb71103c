namespace EventBus;

/// <summary>Records events in order, and waits for a number of them.</summary>
internal sealed class Journal
{
    private readonly Lock gate = new();
    private readonly List<string> items = [];
    private readonly List<(Func<List<string>, bool> Condition, TaskCompletionSource Reached)> waiting = [];

    public IReadOnlyList<string> Items
    {
        get
        {
            lock (gate)
            {
                return [.. items];
            }
        }
    }

    public void Add(string item)
    {
        lock (gate)
        {
            items.Add(item);
            foreach (var (_, reached) in waiting.Where(wait => wait.Condition(items)))
            {
                reached.TrySetResult();
            }
        }
    }

    public Task HasAsync(string item) => UntilAsync(list => list.Contains(item), item);

    public async Task UntilAsync(Func<List<string>, bool> condition, string what)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (condition(items))
            {
                return;
            }

            waiting.Add((condition, reached));
        }

        try
        {
            await reached.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"Still waiting for: {what}. So far: {string.Join(", ", Items)}");
        }
    }
}
