namespace EventBus.Conformance;

/// <summary>Compares the expected with the actual result of a scenario, and throws if they differ.</summary>
internal static class Expect
{
    /// <summary>The default timeout for what must happen in a scenario.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(15);

    public static void That(bool condition, string expected, object? actual = null)
    {
        if (!condition)
        {
            throw Failure(expected, actual?.ToString());
        }
    }

    public static void Equal<T>(T expected, T actual, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            throw Failure($"{what} is {expected}", $"it is {actual}");
        }
    }

    public static void Sequence<T>(IEnumerable<T> expected, IEnumerable<T> actual, string what)
    {
        var (left, right) = (expected.ToList(), actual.ToList());
        if (!left.SequenceEqual(right))
        {
            throw Failure($"{what} is [{Show(left)}]", $"it is [{Show(right)}]");
        }
    }

    /// <summary>Waits until a task completes, and fails after a timeout.</summary>
    /// <param name="task">The task to wait for.</param>
    /// <param name="expected">The description of what must happen.</param>
    /// <param name="timeout">The timeout; null for the default.</param>
    /// <param name="state">Returns the progress so far, for the failure message.</param>
    public static async Task WithinAsync(Task task, string expected, TimeSpan? timeout = null, Func<string>? state = null)
    {
        try
        {
            await task.WaitAsync(timeout ?? DefaultTimeout, TimeProvider.System);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw Failure($"{expected} within {(timeout ?? DefaultTimeout).TotalSeconds:0.#} s", state?.Invoke() ?? "it did not");
        }
    }

    public static async Task<T> WithinAsync<T>(Task<T> task, string expected, TimeSpan? timeout = null, Func<string>? state = null)
    {
        await WithinAsync((Task)task, expected, timeout, state);
        return await task;
    }

    public static async Task<TException> ThrowsAsync<TException>(Func<Task> action, string expected)
        where TException : Exception
    {
        try
        {
            await WithinAsync(action(), $"{expected} (an end)");
        }
        catch (TException exception)
        {
            return exception;
        }
        catch (Exception exception) when (exception is not ConformanceException)
        {
            throw new ConformanceException(
                $"Expected: {expected}, as {typeof(TException).Name}. Happened: {exception.GetType().Name}: {exception.Message}",
                exception);
        }

        throw Failure($"{expected}, as {typeof(TException).Name}", "no exception");
    }

    public static ConformanceException Failure(string expected, string? actual) =>
        new($"Expected: {expected}. Happened: {actual ?? "not so"}.");

    private static string Show<T>(List<T> items) =>
        string.Join(", ", items.Take(50)) + (items.Count > 50 ? $" and {items.Count - 50} more" : "");
}
