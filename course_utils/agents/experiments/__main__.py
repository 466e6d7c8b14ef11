"""How is every experiment with agents run again? Both in order; a finished one is left alone."""

from course_utils.agents.experiments import guesser, guessing_rl

if __name__ == "__main__":
    guesser.main()
    guessing_rl.main()
