namespace EventBus.Load;

/// <summary>Shows the running case in one line of an interactive console.</summary>
internal sealed class Progress
{
    private readonly bool isWatched = !Console.IsErrorRedirected;
    private int length;

    public void Show(string what)
    {
        if (isWatched)
        {
            Console.Error.Write($"\r  {what}{new string(' ', Math.Max(0, length - what.Length))}");
            length = what.Length;
        }
    }

    public void Clear()
    {
        if (isWatched && length > 0)
        {
            Console.Error.Write($"\r{new string(' ', length + 2)}\r");
            length = 0;
        }
    }
}
