namespace EventBus.Conformance;

/// <summary>
/// Compares the expected with the actual result of a scenario, and throws a <see cref="ConformanceException"/> if they
/// differ.
/// </summary>
internal static class Expect
{
    /// <summary>The default timeout for what must happen in a scenario.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Expects that a condition is true.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="expected">The description of the expected result.</param>
    /// <param name="actual">The actual result; null if the description says enough.</param>
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
        var expectedItems = expected.ToList();
        var actualItems = actual.ToList();
        if (!expectedItems.SequenceEqual(actualItems))
        {
            throw Failure($"{what} is [{Show(expectedItems)}]", $"it is [{Show(actualItems)}]");
        }
    }

    /// <summary>Waits until a task completes, and fails after a timeout.</summary>
    /// <param name="task">The task to wait for.</param>
    /// <param name="expected">The description of what must happen.</param>
    /// <param name="timeout">The timeout; null for the default.</param>
    /// <param name="state">Returns the progress so far, for the failure message.</param>
    public static async Task WithinAsync(Task task, string expected, TimeSpan? timeout = null, Func<string>? state = null)
    {
        var limit = timeout ?? DefaultTimeout;
        try
        {
            await task.WaitAsync(limit, TimeProvider.System);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw Failure($"{expected} within {limit.TotalSeconds:0.#} s", state?.Invoke() ?? "it did not");
        }
    }

    public static async Task<T> WithinAsync<T>(Task<T> task, string expected, TimeSpan? timeout = null, Func<string>? state = null)
    {
        await WithinAsync((Task)task, expected, timeout, state);
        return await task;
    }

    /// <summary>Expects that an action ends with an exception of a type, within the default timeout.</summary>
    /// <typeparam name="TException">The type of the exception, or a base class.</typeparam>
    /// <param name="action">The action.</param>
    /// <param name="expected">The description of what must happen.</param>
    public static async Task<TException> ThrowsAsync<TException>(Func<Task> action, string expected)
        where TException : Exception
    {
        try
        {
            await WithinAsync(action(), expected);
        }
        catch (ConformanceException)
        {
            // The action did not end in time, which fails the scenario also where any exception is expected.
            throw;
        }
        catch (TException exception)
        {
            return exception;
        }
        catch (Exception exception)
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
